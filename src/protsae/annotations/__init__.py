"""What is known of proteins: annotation files, evidence, joins, concept vocabularies and labels."""
