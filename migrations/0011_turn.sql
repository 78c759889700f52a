-- Restarts of a ledger's nodes take turns (docs/decisions/0032).

ALTER TABLE node
    -- The generation that it had its turn for: until that is done it is no vote.
    ADD turn_generation bigint NOT NULL DEFAULT 0;
GRANT UPDATE (turn_generation) ON node TO hansa_controller;
