"""The models that stand beside the VAE, each with its gradients or its EM by hand.

Not loaded by `import npvae`.
"""
