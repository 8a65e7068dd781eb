"""One HTML file about one's own model, which opens from the disk and loads nothing from anywhere.

    from npvae import pages
    pages.explore(vae, x, "vae.html")

The numbers on the page are the library's: `model.js` states the equations of the chapters again,
by their tags, and a test in a browser compares the two.

page:     a model and some rows -> the file
packing:  arrays -> text, in 8, 16 or 32 bits a number
command:  python -m npvae explore
"""

from .page import explore

__all__ = ["explore"]
