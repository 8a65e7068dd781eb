"""Data in files: arrays, tables of text, folders of pictures.

arrays      .npy, .npz, IDX
tables      .csv
pictures    a folder of .png or .jpg
data        `read_data`, which tells them apart and picks columns
"""
