"""Named features of protein language models.

protsae turns protein sequences, functional annotations and the Gene Ontology into sparse autoencoders whose
first latents are each tied to a named ontology term, and into the evidence that they mean what they say.
"""

__version__ = "0.1.0"
