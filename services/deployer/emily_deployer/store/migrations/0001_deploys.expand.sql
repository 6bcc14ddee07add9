-- Every deploy as it is now, and everything that was done in one.

CREATE TABLE deployment (
    id uuid PRIMARY KEY,
    number bigint GENERATED ALWAYS AS IDENTITY,
    ended_at timestamptz,
    document jsonb NOT NULL
);

-- Whoever deploys holds the one row that has not ended.
CREATE UNIQUE INDEX one_deploy_at_a_time ON deployment ((true)) WHERE ended_at IS NULL;
CREATE INDEX deployment_newest ON deployment (number DESC);

CREATE TABLE act (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    deployment uuid NOT NULL REFERENCES deployment,
    at timestamptz NOT NULL,
    who text NOT NULL,
    what text NOT NULL,
    step text NOT NULL,
    why text NOT NULL
);
CREATE INDEX act_of_deployment ON act (deployment, number);

CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what was done in a deploy is not rewritten';
END $$;
CREATE TRIGGER acts_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON act
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
