package store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
)

// SecretOfProofs is the name of the secret under which proofs of credentials are made (internal/auth).
const SecretOfProofs = "proofs"

// ProofSecret is the secret of proofs, which the migration to its version has drawn.
func (s *Store) ProofSecret(ctx context.Context) ([]byte, error) {
	var text string
	if err := s.read.QueryRowContext(ctx, "SELECT value FROM secrets WHERE name = $1", SecretOfProofs).Scan(&text); err != nil {
		return nil, fmt.Errorf("reading the secret of proofs: %w", err)
	}
	secret, err := hex.DecodeString(text)
	if err != nil {
		return nil, errors.New("reading the secret of proofs: it is not hexadecimal")
	}
	return secret, nil
}
