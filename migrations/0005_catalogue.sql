-- Fivetran's list of services as it was fetched last, so that it is there from the start. One row.
CREATE TABLE catalogue (
    name       TEXT PRIMARY KEY,
    body       TEXT NOT NULL,       -- what is looked at of each service, as JSON
    fetched_at BIGINT NOT NULL      -- milliseconds since 1970
);
