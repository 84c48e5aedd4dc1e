package store

import (
	"context"
	"database/sql"
	"fmt"
)

// RememberTopic notes that the registry makes a topic for the application with a uid.
func (s *Store) RememberTopic(ctx context.Context, applicationUID, topic string) error {
	err := s.transactOnce(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO topics (application, name) VALUES ($1, $2) ON CONFLICT (application) DO NOTHING", applicationUID, topic)
		return err
	})
	if err != nil {
		return fmt.Errorf("remembering a topic: %w", err)
	}
	return nil
}

// TopicMakers are the uids of the applications that the registry has made a topic for.
func (s *Store) TopicMakers(ctx context.Context, topic string) (uids []string, err error) {
	rows, err := s.read.QueryContext(ctx, "SELECT application FROM topics WHERE name = $1", topic)
	if err != nil {
		return nil, fmt.Errorf("looking for the makers of a topic: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var uid string
		if err := rows.Scan(&uid); err != nil {
			return nil, fmt.Errorf("looking for the makers of a topic: %w", err)
		}
		uids = append(uids, uid)
	}
	return uids, rows.Err()
}

// ForgetTopic notes that the topic of an application is gone.
func (s *Store) ForgetTopic(ctx context.Context, applicationUID string) error {
	err := s.transactOnce(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM topics WHERE application = $1", applicationUID)
		return err
	})
	if err != nil {
		return fmt.Errorf("forgetting a topic: %w", err)
	}
	return nil
}
