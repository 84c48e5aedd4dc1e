package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A source is a file that documents are read from, perhaps more than once.
type source struct {
	name string // as people know it
	path string
	size int64
}

// sources are all that is to be applied.
type sources struct {
	all    []source
	named  map[string]struct{} // paths of files in all
	copies []string            // of what can be read only once
}

func fromStandardInput(names []string) bool { return slices.Contains(names, "-") }

// openSources finds the files. What is no file, as standard input, is copied to one, which only its owner can read.
func openSources(ctx context.Context, t terminal, names []string) (*sources, error) {
	s := &sources{named: map[string]struct{}{}}
	for _, name := range names {
		if err := s.add(ctx, t, name); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

func (s *sources) add(ctx context.Context, t terminal, name string) error {
	if name == "-" {
		return s.copy(ctx, "standard input", t.in)
	}
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return s.addFolder(name)
	case info.Mode().IsRegular():
		return s.addFile(name, info)
	}
	pipe, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = pipe.Close() }()
	return s.copy(ctx, name, pipe)
}

// addFile takes a file that is named twice only once.
func (s *sources) addFile(name string, info fs.FileInfo) error {
	path, err := filepath.Abs(name)
	if err != nil {
		return err
	}
	if _, twice := s.named[path]; !twice {
		s.named[path] = struct{}{}
		s.all = append(s.all, source{name: name, path: path, size: info.Size()})
	}
	return nil
}

// addFolder takes all files of a folder and of those below it. What begins with a dot is left out, and links to folders are
// not followed.
func (s *sources) addFolder(folder string) error {
	before := len(s.all)
	err := filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
		hidden := strings.HasPrefix(entry.Name(), ".") && name != folder
		switch {
		case err != nil:
			return err
		case entry.IsDir() && hidden:
			return filepath.SkipDir
		case entry.IsDir() || hidden || !slices.Contains([]string{".yaml", ".yml", ".json"}, strings.ToLower(filepath.Ext(name))):
			return nil
		}
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		return s.addFile(name, info)
	})
	if err != nil {
		return fmt.Errorf("reading folder %s: %w", folder, err)
	}
	if len(s.all) == before {
		return fmt.Errorf("folder %s has no *.yaml, *.yml or *.json", folder)
	}
	return nil
}

// copy ends with the context, even if nobody writes into a pipe.
func (s *sources) copy(ctx context.Context, name string, from io.Reader) error {
	file, err := os.CreateTemp("", "fairlead-apply-*")
	if err != nil {
		return fmt.Errorf("copying %s: %w", name, err)
	}
	s.copies = append(s.copies, file.Name())
	type result struct {
		size int64
		err  error
	}
	done := make(chan result, 1)
	go func() {
		size, err := io.Copy(file, from)
		done <- result{size, errors.Join(err, file.Close())}
	}()
	select {
	case <-ctx.Done():
		return errors.New("stopped; nothing was applied")
	case r := <-done:
		if r.err != nil {
			return fmt.Errorf("copying %s: %w", name, r.err)
		}
		s.all = append(s.all, source{name: name, path: file.Name(), size: r.size})
		return nil
	}
}

func (s *sources) size() (bytes int64) {
	for _, one := range s.all {
		bytes += one.size
	}
	return bytes
}

func (s *sources) close() {
	for _, name := range s.copies {
		_ = os.Remove(name)
	}
}
