package functionbin

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A Binary is a built function. One binary is every function of Fairlead; see [Binary.Start].
type Binary struct {
	Path string
}

// Build compiles the function of the module that the working directory lies in, statically and stripped as for an
// image, into a folder. Go's build cache makes a second build cheap.
func Build(ctx context.Context, dir string) (Binary, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return Binary{}, fmt.Errorf("building the function: %w", err)
	}
	return BuildFrom(ctx, root, dir)
}

// BuildFrom compiles the function of the repository in the folder root.
func BuildFrom(ctx context.Context, root, dir string) (Binary, error) {
	path, err := filepath.Abs(filepath.Join(dir, "function"))
	if err != nil {
		return Binary{}, fmt.Errorf("building the function: %w", err)
	}
	build := exec.CommandContext(ctx, "go", "build", "-C", filepath.Join(root, "test", "function"),
		"-buildvcs=false", "-trimpath", "-ldflags", "-s -w", "-o", path)
	// Flags that suit the caller's module (-race, -mod) do not suit this one.
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=auto")
	if output, err := build.CombinedOutput(); err != nil {
		return Binary{}, fmt.Errorf("building the function: %w\n%s", err, output)
	}
	return Binary{Path: path}, nil
}

func moduleRoot(ctx context.Context) (string, error) {
	output, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/fairlead/fairlead").Output()
	if err != nil {
		return "", fmt.Errorf("looking for the repository: %w", err)
	}
	return strings.TrimSpace(string(output)), nil
}
