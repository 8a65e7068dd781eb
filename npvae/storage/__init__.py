"""Models in files: one .npz of plain arrays and a JSON header, no pickle.

archive: named arrays and a header, written whole and read with suspicion
model:   what the header says of a model, and which arrays belong to it
"""
