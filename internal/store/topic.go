package store

import (
	"context"
	"database/sql"
	"fmt"
)

// RememberTopic notes that a topic is made, and for whom: for the events of an application its uid.
func (s *Store) RememberTopic(ctx context.Context, maker, topic string) error {
	err := s.transactOnce(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO topics (application, name) VALUES ($1, $2) ON CONFLICT (application) DO NOTHING", maker, topic)
		return err
	})
	if err != nil {
		return fmt.Errorf("remembering a topic: %w", err)
	}
	return nil
}

// TopicMakers are those for whom a topic was made.
func (s *Store) TopicMakers(ctx context.Context, topic string) (makers []string, err error) {
	rows, err := s.read.QueryContext(ctx, "SELECT application FROM topics WHERE name = $1", topic)
	if err != nil {
		return nil, fmt.Errorf("looking for the makers of a topic: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var maker string
		if err := rows.Scan(&maker); err != nil {
			return nil, fmt.Errorf("looking for the makers of a topic: %w", err)
		}
		makers = append(makers, maker)
	}
	return makers, rows.Err()
}

// ForgetTopic notes that the topic that was made for somebody is gone.
func (s *Store) ForgetTopic(ctx context.Context, maker string) error {
	err := s.transactOnce(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM topics WHERE application = $1", maker)
		return err
	})
	if err != nil {
		return fmt.Errorf("forgetting a topic: %w", err)
	}
	return nil
}
