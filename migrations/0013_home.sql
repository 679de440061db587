-- What App Home reads: somebody's connections, and everybody's, the most urgent first. The last column is
-- for counting without a look at the rows.
CREATE INDEX connection_of_requester ON connection (requester, urgency, expires_at, name, team_id);
CREATE INDEX connection_by_urgency ON connection (urgency, expires_at, name, team_id);
