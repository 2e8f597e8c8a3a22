"""Disentanglement: does a latent stand for one thing, and one latent for a thing?"""
