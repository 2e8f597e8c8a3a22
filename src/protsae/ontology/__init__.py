"""Gene Ontology: terms, ancestor closure, information content, similarity and EL axioms in normal form."""
