"""Models in files: npvae's own .npz of plain arrays and a JSON header, and other programs' formats.

archive:    named arrays and a header, written whole and read with suspicion
model:      what the header says of a model, and which arrays belong to it

exchange:   models from elsewhere, and to elsewhere; imported when asked for, with what follows
assembly:   a model of arrays that came under other names
naming, keras:                      PyTorch's names and Keras' lists
safetensors, state_dict, onnx:      their formats
command:    python -m npvae convert
"""
