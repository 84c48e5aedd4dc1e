package migrate

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"

	"github.com/fairlead/fairlead/internal/store"
)

// secretBytes is the size of a secret.
const secretBytes = 32

// drawSecrets makes the secrets that an installation has.
func drawSecrets(ctx context.Context, tx *sql.Tx) error {
	secret := make([]byte, secretBytes)
	_, _ = rand.Read(secret) // never fails
	_, err := tx.ExecContext(ctx, "INSERT INTO secrets (name, value) VALUES ($1, $2)", store.SecretOfProofs, hex.EncodeToString(secret))
	return err
}
