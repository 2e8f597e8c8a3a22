"""Swiss-Prot records, written by the tests."""


def dat_record(
    name: str = "HBA_HUMAN",
    accessions: str = "P69905; P01922;",
    sequence: str = "MVLSPADKTNVKAAWGKVGAHAGEYGAEALERMFLSFPTTKTYFPHF",
    terms: tuple[str, ...] = ("GO:0005833; C:hemoglobin complex; IDA:UniProtKB",),
    length: int | None = None,
) -> str:
    """Return a record as the release has it, with lines that no reader needs."""
    n = len(sequence) if length is None else length
    lines = [sequence[begin : begin + 60] for begin in range(0, len(sequence), 60)]
    rows = [" ".join(line[begin : begin + 10] for begin in range(0, 60, 10)).rstrip() for line in lines]
    return "\n".join(
        [
            f"ID   {name:<24}Reviewed;{n:>12} AA.",
            f"AC   {accessions}",
            "DT   21-JUL-1986, integrated into UniProtKB/Swiss-Prot.",
            "DE   RecName: Full=Hemoglobin subunit alpha {ECO:0000305};",
            "DE   AltName: Full=Alpha-globin;",
            "GN   Name=HBA1; and",
            "OS   Homo sapiens (Human).",
            "RN   [1]",
            "RX   broken = reference; nobody needs it;",
            "CC   -!- FUNCTION: Involved in oxygen transport.",
            "DR   EMBL; J00153; AAB59407.1; -; Genomic_DNA.",
            *[f"DR   GO; {term}." for term in terms],
            "PE   1: Evidence at protein level;",
            "KW   3D-structure; Heme.",
            "FT   METAL           59",
            "**   internal section",
            f"SQ   SEQUENCE   {n} AA;  15258 MW;  15E13666573BBBAE CRC64;",
            *[f"     {row}" for row in rows],
            "//",
            "",
        ]
    )
