"""Disentanglement: does each latent stand for one thing, and each thing have one latent?"""
