//go:build integration

package migrate

import (
	"os"
	"testing"

	"github.com/fairlead/fairlead/internal/store/postgres"
	"github.com/fairlead/fairlead/test/neighbour"
)

func TestMain(m *testing.M) { os.Exit(neighbour.Main(m)) }

func TestFillsOnPostgres(t *testing.T) {
	s, err := postgres.Open(t.Context(), neighbour.SharedPostgres(t).Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	testFills(t, s)
}
