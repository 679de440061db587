-- What is wrong with a broken connection, as JSON: what is at fault, and Fivetran's own words. `detail`
-- stays beside it: it is what the release before reads.
ALTER TABLE connection ADD COLUMN trouble TEXT;
