"""What the epochs of a race come to: medians, ratios within rounds, CPUs near and apart."""

import statistics

from ping import NEAR

SLOW = 1.3  # times a peer's best


def summarize(results, rows, limit):
    """What the table shows, added to each peer's result. -> `placed` of all who ran"""
    ran = {peer: result for peer, result in results.items() if "missing" not in result}
    for peer, told in medians(ran).items():
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
    return placed(ran)


def medians(ran):
    """{peer: {"seconds", "speed"}} over the rounds; no speed where npvae ran alone"""
    seconds = {
        peer: [epoch["seconds"] for epoch in result["epochs"]] for peer, result in ran.items()
    }
    others = [times for peer, times in seconds.items() if peer != "npvae"]
    fastest = [min(times) for times in zip(*others, strict=True)]

    def speed(times):
        return statistics.median(a / b for a, b in zip(fastest, times, strict=True))

    return {
        peer: {"seconds": statistics.median(times), "speed": speed(times) if others else None}
        for peer, times in seconds.items()
    }


def placed(ran):
    """{"near": …, "apart": …}: what such epochs came to, if there were any.

    An epoch is near if the pings before and after it were. A host moves CPUs within a round too,
    so here `speed` is a quotient of medians, and only told if everybody had such epochs. Nothing
    is told where no ping was sent.
    """
    epochs = [(peer, epoch) for peer, result in ran.items() for epoch in result["epochs"]]
    if any(epoch["hop_ns"] is None for _, epoch in epochs):
        return {}
    chosen = {
        "near": [(peer, epoch) for peer, epoch in epochs if epoch["hop_ns"] <= NEAR],
        "apart": [(peer, epoch) for peer, epoch in epochs if epoch["hop_ns"] > NEAR],
    }
    return {place: _of_one_place(some, ran) for place, some in chosen.items() if some}


def _of_one_place(epochs, ran):
    seconds = {peer: [epoch["seconds"] for p, epoch in epochs if p == peer] for peer in ran}
    hops = [epoch["hop_ns"] for _, epoch in epochs]
    peers = {
        peer: {"epochs": len(times), "seconds": statistics.median(times)}
        for peer, times in seconds.items()
        if times
    }
    others = [told["seconds"] for peer, told in peers.items() if peer != "npvae"]
    all_there = "npvae" in peers and others and peers.keys() == ran.keys()
    speed = min(others) / peers["npvae"]["seconds"] if all_there else None
    return {"hop_ns": [min(hops), max(hops)], "peers": peers, "speed": speed}
