package neighbours

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The layout of a record batch (Kafka's message format 2).
const (
	batchPrefix  = 8 + 4 // offset of the first record, length of what follows
	batchLengths = 61    // bytes of a batch without records
	checkedFrom  = 21    // first byte that the checksum covers
	maxBatch     = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// repair looks at every segment and cuts off what is damaged, which nobody could read: the broker would do so silently. What
// is cut off is kept in the folder damaged, and what is lost is said.
func repair(folder string, logger *slog.Logger) error {
	partitions := filepath.Join(folder, "partitions")
	entries, err := os.ReadDir(partitions)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		p := &storedPartition{folder: filepath.Join(partitions, entry.Name()), damaged: filepath.Join(folder, "damaged"), logger: logger}
		if err := p.repair(); err != nil {
			return err
		}
	}
	return nil
}

// A storedPartition is a partition as it lies on the disk.
type storedPartition struct {
	folder, damaged string
	logger          *slog.Logger
}

// String names the partition for a message.
func (p *storedPartition) String() string {
	name := filepath.Base(p.folder)
	i := strings.LastIndexByte(name, '-')
	if topic, err := url.PathUnescape(name[:max(i, 0)]); err == nil && i > 0 {
		return fmt.Sprintf("topic %s, partition %s", topic, name[i+1:])
	}
	return name
}

func (p *storedPartition) repair() error {
	entries, err := os.ReadDir(p.folder)
	if err != nil {
		return err
	}
	var bases []int64
	for _, entry := range entries {
		if base, ok := baseOf(entry.Name()); ok {
			bases = append(bases, base)
		}
	}
	slices.Sort(bases)
	end := int64(-1) // offset after the last record
	for i, base := range bases {
		if i > 0 && base > end {
			p.logger.Warn(fmt.Sprintf("the embedded Kafka has lost records of %s: the %d from offset %d to %d are in no file", p, base-end, end, base-1))
		}
		next := int64(-1) // where the records go on after this segment
		if i+1 < len(bases) {
			next = bases[i+1]
		}
		if end, err = p.segment(base, next); err != nil {
			return err
		}
		end = max(end, next) // said already
	}
	return p.compare(end)
}

// compare looks whether the files end before what was noted at the last orderly end.
func (p *storedPartition) compare(end int64) error {
	text, err := os.ReadFile(filepath.Join(p.folder, "snapshot.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var snapshot map[string]json.RawMessage
	var noted int64
	if json.Unmarshal(text, &snapshot) != nil || json.Unmarshal(snapshot["high_watermark"], &noted) != nil {
		return nil // the broker does without
	}
	if from := max(end, 0); noted > from {
		p.logger.Warn(fmt.Sprintf("the embedded Kafka has lost records of %s: the %d from offset %d to %d are in no file", p, noted-from, from, noted-1))
	}
	return nil
}

// segment checks one segment, and returns the offset after its last record that is whole.
func (p *storedPartition) segment(base, next int64) (end int64, err error) {
	name := filepath.Join(p.folder, strconv.FormatInt(base, 10)+segmentFile)
	file, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	good, end, err := readBatches(bufio.NewReaderSize(file, 1<<20), base)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	lost := info.Size() - good
	if lost == 0 {
		return end, nil
	}
	if _, err := file.Seek(good, io.SeekStart); err != nil {
		return 0, err
	}
	tail, err := io.ReadAll(file)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	kept, err := p.keep(fmt.Sprintf("%d%s.%d", base, segmentFile, good), tail)
	if err != nil {
		return 0, fmt.Errorf("keeping what is damaged in %s: %w", name, err)
	}
	if err := os.Truncate(name, good); err != nil {
		return 0, err
	}
	p.logger.Warn(fmt.Sprintf("the embedded Kafka found %d bytes of %s that it cannot read, from offset %d on: %s; they are cut off, and kept in %s",
		lost, p, end, loss(tail, end, next), kept))
	return end, nil
}

// keep writes what is cut off to a file of its own.
func (p *storedPartition) keep(name string, tail []byte) (string, error) {
	if err := os.MkdirAll(p.damaged, 0o700); err != nil {
		return "", err
	}
	file, err := os.CreateTemp(p.damaged, filepath.Base(p.folder)+"-"+name+"-")
	if err != nil {
		return "", err
	}
	_, err = file.Write(tail)
	return file.Name(), errors.Join(err, file.Sync(), file.Close())
}

// loss says what was in bytes that are cut off.
func loss(tail []byte, end, next int64) string {
	if next > end {
		return fmt.Sprintf("%d records are lost", next-end)
	}
	records, whole := 0, 0
	for len(tail) >= batchLengths {
		size := batchSize(tail)
		if size < batchLengths || size > int64(len(tail)) {
			break
		}
		records += int(binary.BigEndian.Uint32(tail[23:])) + 1
		whole++
		tail = tail[size:]
	}
	switch {
	case whole > 0 && len(tail) == 0:
		return fmt.Sprintf("%d records are lost", records)
	case whole > 0:
		return fmt.Sprintf("at least %d records are lost", records)
	default:
		return "the part of a write that a kill interrupted, and that was not acknowledged, or what damage has left of records"
	}
}

// readBatches reads batches as long as they are whole: it returns how many bytes those have and the offset after them.
func readBatches(r io.Reader, base int64) (good, end int64, err error) {
	end = base
	header := make([]byte, batchPrefix)
	var body []byte
	for {
		if _, err := io.ReadFull(r, header); err != nil {
			return good, end, unlessEnd(err)
		}
		size := batchSize(header)
		if size < batchLengths || size > maxBatch {
			return good, end, nil
		}
		body = slices.Grow(body[:0], int(min(size, 1<<20)))[:0]
		body, err = appendFrom(body, r, size-batchPrefix)
		if err != nil {
			return good, end, unlessEnd(err)
		}
		if binary.BigEndian.Uint32(body[17-batchPrefix:]) != crc32.Checksum(body[checkedFrom-batchPrefix:], castagnoli) {
			return good, end, nil
		}
		good += size
		end = int64(binary.BigEndian.Uint64(header)) + int64(binary.BigEndian.Uint32(body[23-batchPrefix:])) + 1
	}
}

// batchSize is what a batch takes, by its first bytes.
func batchSize(header []byte) int64 { return batchPrefix + int64(binary.BigEndian.Uint32(header[8:])) }

// appendFrom reads exactly n bytes, without taking the memory for them before they are there.
func appendFrom(into []byte, r io.Reader, n int64) ([]byte, error) {
	for n > 0 {
		part := int(min(n, 1<<20))
		into = slices.Grow(into, part)
		read, err := io.ReadFull(r, into[len(into):len(into)+part])
		into = into[:len(into)+read]
		if err != nil {
			return into, err
		}
		n -= int64(part)
	}
	return into, nil
}

func unlessEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}
