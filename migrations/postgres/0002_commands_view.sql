CREATE VIEW commands AS
SELECT id,
       stage,
       to_timestamp(accepted_at / 1000.0) AS accepted_at,
       to_timestamp(ended_at / 1000.0) AS ended_at,
       channel_id,
       user_id,
       request::json ->> 'service' AS service,
       request::json -> 'target' ->> 'schema' AS schema_name,
       connection_id,
       tries,
       problem
FROM command
ORDER BY command.accepted_at;
