"""Which letter on the page is which name in the code: the glossary of notation.md, as data."""

from typing import NamedTuple


class Symbol(NamedTuple):
    """One quantity: how formulas write it, how the code does, and what it is.

    A letter may carry its subscript, as β1 does. The first name stands for the symbol. Where no
    chapters are named, it holds in all of them.
    """

    letters: tuple[str, ...]
    names: tuple[str, ...]
    meaning: str
    chapters: tuple[str, ...] = ()


GLOSSARY = [
    Symbol(("x",), ("x",), "data, each row an example"),
    Symbol(("z",), ("z",), "latent codes"),
    Symbol(("ε",), ("noise",), "draws from N(0, I)"),
    Symbol(("μ",), ("mu",), "mean of the encoder's q(z|x)"),
    Symbol(("σ", "logvar"), ("logvar", "sigma"), "width: logvar is log σ²"),
    Symbol(("a",), ("logits", "a"), "what enters a nonlinearity; the decoder's logits"),
    Symbol(("h",), ("hidden",), "what leaves a hidden layer"),
    Symbol(("W",), ("W",), "weights of a layer"),
    Symbol(("b",), ("b",), "biases of a layer"),
    Symbol(("y",), ("y",), "what a function returns"),
    Symbol(("β",), ("beta",), "weight of the KL"),
    Symbol(("KL", "kl"), ("kl",), "divergence of q(z|x) from the prior: the price of the code"),
    Symbol(("bound",), ("bound",), "estimate of the bound on log p(x)"),
    Symbol(("η",), ("learning_rate",), "length of a step", ("11", "19")),
    Symbol(("λ",), ("weight_decay", "decay"), "strength of the pull towards 0", ("02", "11")),
    Symbol(("v",), ("velocity", "v"), "running sum or mean of the gradients", ("11",)),
    Symbol(("m",), ("momentum", "m"), "momentum; Adam's mean gradient", ("11",)),
    Symbol(("β1",), ("beta1",), "how slowly Adam's mean forgets", ("11", "19")),
    Symbol(("β2",), ("beta2",), "how slowly Adam's mean square forgets", ("11", "19")),
    Symbol(("ε",), ("epsilon",), "what is added to a root before dividing by it", ("11",)),
    Symbol(("β",), ("beta",), "memory of the momentum", ("19",)),
    Symbol(("ε",), ("EPS", "eps"), "relative error of one rounding", ("12", "13")),
    Symbol(("r",), ("r",), "responsibilities: the posterior of the component", ("18",)),
    Symbol(("π",), ("weights",), "probabilities of the components", ("18",)),
    Symbol(("α",), ("alpha",), "forward probabilities", ("18",)),
    Symbol(("β",), ("beta",), "backward probabilities", ("18",)),
    Symbol(("l",), ("eigenvalues",), "eigenvalues of the data's covariance", ("15", "17")),
    Symbol(("λ",), ("penalty",), "price of the weights", ("17",)),
]

# What means something else on nearly every line, or nothing that the code has a name for.
AMBIGUOUS = frozenset("depqfijnt") | {"log", "exp", "max", "min", "in"}


def of_chapter(chapter: str) -> list[Symbol]:
    """The glossary of one page, such as "05-kl": its own meanings of a letter before the book's."""
    own = [s for s in GLOSSARY if any(chapter.startswith(number) for number in s.chapters)]
    taken = {letter for symbol in own for letter in symbol.letters}
    return own + [s for s in GLOSSARY if not s.chapters and not taken & set(s.letters)]


class Marks:
    """The symbols of one page: `key` says which one a letter or a name is, if any.

    A word that formulas and code spell alike needs no entry. Only what stands in both is marked, so
    `in_code` is given the words of the page's modules, and `used` collects what formulas have.
    """

    def __init__(self, chapter: str, in_code: set[str]):
        self.symbols = of_chapter(chapter)
        self.in_code = in_code
        self.letters = {letter: s for s in self.symbols for letter in s.letters}
        self.names = {name: s for s in self.symbols for name in s.names}
        self.used: set[str] = set()

    def of_letter(self, letter: str) -> str | None:
        """The key of a letter or a word in a formula; it counts as used."""
        symbol = self.letters.get(letter)
        names = symbol.names if symbol else (letter,)
        if (letter in AMBIGUOUS and not symbol) or not self.in_code & set(names):
            return None
        self.used.add(names[0])
        return names[0]

    def of_name(self, name: str) -> str | None:
        """The key of a name in the code, or a letter in its comments, if a formula has it too."""
        symbol = self.names.get(name) or self.letters.get(name)
        key = symbol.names[0] if symbol else name
        return key if key in self.used else None

    def legend(self) -> list[tuple[str, str, str]]:
        """(key, letters and names, meaning) of each symbol of the glossary that was used."""
        return [
            (s.names[0], " ".join(dict.fromkeys((*s.letters, *s.names))), s.meaning)
            for s in self.symbols
            if s.names[0] in self.used
        ]
