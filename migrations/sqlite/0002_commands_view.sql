CREATE VIEW commands AS
SELECT id,
       stage,
       datetime(accepted_at / 1000, 'unixepoch') AS accepted_utc,
       datetime(ended_at / 1000, 'unixepoch') AS ended_utc,
       channel_id,
       user_id,
       request ->> 'service' AS service,
       request ->> '$.target.schema' AS schema_name,
       connection_id,
       tries,
       problem
FROM command
ORDER BY accepted_at;
