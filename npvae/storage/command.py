"""python -m npvae convert IN OUT: a model from one format to another."""

import argparse
import ast
import sys
from pathlib import Path

from ..activations import ACTIVATIONS
from ..likelihoods import LIKELIHOODS
from . import exchange

DESCRIPTION = """\
Read a model from one file, write it to another. Suffixes say the formats:

  .npz            npvae's own; as IN, of Keras too, what
                  np.savez(IN, *model.get_weights()) wrote
  .safetensors    arrays by PyTorch's names
  .pt, .pth       PyTorch's state_dict (needs PyTorch)
  .onnx           as OUT alone: OUT.encoder.onnx, x to mu and logvar, and
                  OUT.decoder.onnx, z to the mean of x, for an ONNX runtime

The state_dict of PyTorch's VAE example (fc1, fc21, fc22, fc3, fc4) is known by
its names. Of others say what the file does not: likelihood, activation, names."""
EXAMPLES = """\
examples:
  python -m npvae convert vae.npz vae.onnx
  python -m npvae convert mnist_vae.pt vae.npz
  python -m npvae convert mine.pt vae.npz --likelihood 'Gaussian(0.1)'
      --activation tanh --encoder enc1 enc2 mu,logvar --decoder dec1 dec2"""


def main(arguments):
    """Run the command.  -> exit status"""
    parser = new_parser()
    args = parser.parse_args(arguments)
    try:
        vae, written = convert(args)
    except (ImportError, OSError, TypeError, ValueError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    print(vae)
    for path in written:
        print(f"wrote {path}, {path.stat().st_size / 1e6:.2f} MB")
    return 0


def new_parser():
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        "python -m npvae convert",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("source", type=Path, metavar="IN", help="the model")
    add("out", type=Path, metavar="OUT", help="where to write it")
    add(
        "--likelihood",
        metavar="P",
        help="such as Bernoulli or 'Gaussian(0.1)', if IN does not say it",
    )
    activations = ", ".join(ACTIVATIONS)
    add("--activation", metavar="F", choices=ACTIVATIONS, help=f"the same, one of {activations}")
    add(
        "--encoder",
        metavar="NAME",
        nargs="+",
        help="its layers in the state_dict, IN's or, if that is an .npz, OUT's; the last is that "
        "of mu and logvar, or MU,LOGVAR if they are two",
    )
    add("--decoder", metavar="NAME", nargs="+", help="the same of the decoder")
    return parser


def convert(args):
    """Read and write.  -> the model, and the files written; raises as `exchange` does"""
    exchange.check_suffix(args.out, exchange.WRITTEN)
    names = {"encoder": _pairs(args.encoder), "decoder": args.decoder}
    from_npz = args.source.suffix.lower() == ".npz"
    likelihood = parse_likelihood(args.likelihood) if args.likelihood else None
    vae = exchange.load(
        args.source,
        likelihood=likelihood,
        activation=args.activation,
        **({} if from_npz else names),
    )
    return vae, exchange.save(vae, args.out, **(names if from_npz else {}))


def parse_likelihood(text):
    """The likelihood that text names as Python would, such as "Bernoulli" or "Gaussian(0.1)".

    Raises ValueError if it is anything else; what stands in the parentheses is never run.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        tree = ast.Call(tree, [], []) if isinstance(tree, ast.Name) else tree
        if not isinstance(tree, ast.Call):
            raise ValueError("no likelihood")
        return _value(tree)
    except (SyntaxError, TypeError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(
            f"--likelihood is {text!r} ({error}); expected one of {', '.join(LIKELIHOODS)}, "
            "with its options in parentheses"
        ) from error


def _value(node):
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else None
        if name not in LIKELIHOODS:
            raise ValueError(f"no likelihood {ast.unparse(node.func)}")
        options = {option.arg: _value(option.value) for option in node.keywords}
        return LIKELIHOODS[name](*map(_value, node.args), **options)
    if isinstance(node, ast.List | ast.Tuple):
        return tuple(map(_value, node.elts))
    return ast.literal_eval(node)


def _pairs(names):
    """The encoder's names, "a,b" as a pair."""
    return names and [tuple(name.split(",")) if "," in name else name for name in names]
