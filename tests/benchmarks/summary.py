"""What the epochs of a race come to: medians, ratios within rounds, rounds near and apart."""

import statistics

from ping import NEAR

SLOW = 1.3  # times a peer's best


def summarize(results, rows, limit):
    """What the table shows, added to each peer's result. -> `placed` of all who ran"""
    ran = {peer: result for peer, result in results.items() if "missing" not in result}
    rounds = range(min((len(result["epochs"]) for result in ran.values()), default=0))
    for peer, told in medians(ran, rounds).items():
        result = ran[peer]
        seconds = [epoch["seconds"] for epoch in result["epochs"]]
        cold, *warm = result["starts"] or [None]
        result |= told
        result["best"] = min(seconds)
        result["slow"] = sum(once > SLOW * min(seconds) for once in seconds)
        result["images_per_second"] = rows / result["seconds"]
        result["of_limit"] = limit / result["seconds"]
        result["cold_start"] = cold
        result["warm_start"] = statistics.median(warm) if warm else None
        result["peak_mib"] = max(epoch["peak_mib"] for epoch in result["epochs"])
    return placed(ran, rounds)


def medians(ran, rounds):
    """{peer: {"seconds", "speed"}} over these rounds; no speed where npvae ran alone"""
    seconds = {
        peer: [result["epochs"][r]["seconds"] for r in rounds] for peer, result in ran.items()
    }
    others = [times for peer, times in seconds.items() if peer != "npvae"]
    fastest = [min(times) for times in zip(*others, strict=True)]

    def speed(times):
        return statistics.median(a / b for a, b in zip(fastest, times, strict=True))

    return {
        peer: {"seconds": statistics.median(times), "speed": speed(times) if others else None}
        for peer, times in seconds.items()
    }


def placed(ran, rounds):
    """{"near": …, "apart": …}: the medians of such rounds, if there were any.

    A round is near if each of its pings was, so in one that is apart the CPUs may have been near
    for a while. Nothing is told where no ping was sent.
    """
    hops = {r: [result["epochs"][r]["hop_ns"] for result in ran.values()] for r in rounds}
    if any(None in all_of_one for all_of_one in hops.values()):
        return {}
    near = [r for r in rounds if max(hops[r]) <= NEAR]
    apart = [r for r in rounds if r not in near]
    return {
        place: {
            "rounds": chosen,
            "hop_ns": [min(min(hops[r]) for r in chosen), max(max(hops[r]) for r in chosen)],
            "peers": medians(ran, chosen),
        }
        for place, chosen in {"near": near, "apart": apart}.items()
        if chosen
    }
