-- What became of each subject under a variant, in sums: the unit of an experiment is the subject, for whom the variant
-- was drawn. Each version of a flag is an experiment of its own.

CREATE TABLE trial (
    flag text NOT NULL REFERENCES flag,
    version bigint NOT NULL,
    subject text NOT NULL,
    variant text NOT NULL,
    answers bigint NOT NULL,
    failures bigint NOT NULL,
    timed bigint NOT NULL,
    latency_ms double precision NOT NULL,
    weighed bigint NOT NULL,
    energy double precision NOT NULL,
    looks bigint NOT NULL,
    outcomes bigint NOT NULL,
    "right" bigint NOT NULL,
    PRIMARY KEY (flag, version, subject, variant)
);
