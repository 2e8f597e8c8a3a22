"""Attribution: which residues and which latents carry a prediction."""
