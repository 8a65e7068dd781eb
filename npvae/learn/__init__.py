"""Write the library yourself, equation by equation, and be marked.

    python -m npvae.learn DIR              a folder with the mathematical functions emptied
    python -m npvae.learn check DIR        marks what is written there

`catalogue` lists the equations, `blanks` empties their functions, `splice` puts an answer in a
function's place, `examine` runs the tests that are marked with its tags, `hints` compares it with
the right one and with the museum's mistakes. Not loaded by `import npvae`.
"""
