package toolbox

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	largestFile = 64 << 20
	mostFiles   = 50_000
	mostLinks   = 40
)

// A folder is all that a call may read. Names are relative to it, with slashes; links are followed
// inside of it only: the kernel resolves each name below an open directory (os.Root).
type folder struct {
	path string
	root *os.Root
}

func openFolder(path string) (*folder, error) {
	if !filepath.IsAbs(path) {
		return nil, problemf("bad-params", "the folder %q is not an absolute path", path)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, problemf("no-file", "the folder %s cannot be opened: %s", path, err)
	}
	return &folder{path: path, root: root}, nil
}

func (f *folder) close() { _ = f.root.Close() }

// name is a path as methods take it, made relative to the folder. Absolute ones are refused.
func (f *folder) name(given string) (string, error) {
	if f == nil {
		return "", problemf("bad-params", "%s is a file, and the call names no folder", given)
	}
	clean := path.Clean(given)
	if path.IsAbs(clean) || !filepath.IsLocal(clean) {
		return "", &problem{Code: "outside-folder", Message: given + " is not inside the folder", Place: given}
	}
	return clean, nil
}

// read is a regular file's content.
func (f *folder) read(given string) ([]byte, error) {
	name, err := f.name(given)
	if err != nil {
		return nil, err
	}
	file, err := f.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, missing(given, err)
	}
	defer func() { _ = file.Close() }()
	about, err := file.Stat()
	switch {
	case err != nil:
		return nil, missing(given, err)
	case about.IsDir():
		return nil, &problem{Code: "no-file", Message: given + " is a folder", Place: given}
	case !about.Mode().IsRegular():
		return nil, &problem{Code: "no-file", Message: given + " is not a regular file", Place: given}
	case about.Size() > largestFile:
		return nil, &problem{Code: "no-file", Message: given + " is too large", Place: given}
	}
	return io.ReadAll(io.LimitReader(file, largestFile))
}

func missing(name string, err error) error {
	if strings.Contains(err.Error(), "path escapes") {
		return &problem{Code: "outside-folder", Message: name + " leads out of the folder", Place: name}
	}
	var inner *fs.PathError
	if errors.As(err, &inner) {
		err = inner.Err
	}
	return &problem{Code: "no-file", Message: name + ": " + err.Error(), Place: name}
}

// walk visits all files below a folder, links followed; skip says which names to leave out.
func (f *folder) walk(top string, skip func(string, fs.FileInfo) bool, visit func(string, fs.FileInfo) error) error {
	count := 0
	var below func(name, rest string, depth int) error
	below = func(name, rest string, depth int) error {
		entries, err := fs.ReadDir(f.root.FS(), name)
		if err != nil {
			return missing(name, err)
		}
		for _, entry := range entries {
			inside, part := path.Join(name, entry.Name()), path.Join(rest, entry.Name())
			if own, err := f.root.Lstat(inside); err == nil && skip(part, own) {
				continue
			}
			about, err := f.root.Stat(inside)
			if err != nil {
				return missing(inside, err)
			}
			if count++; count > mostFiles || depth > mostLinks {
				return &problem{Code: "bad-folder", Message: name + " holds too many files", Place: name}
			}
			if skip(part, about) {
				continue
			}
			if about.IsDir() {
				err = below(inside, part, depth+1)
			} else {
				err = visit(part, about)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return below(top, "", 0)
}

// resolve follows every link in a name: the answer has none.
func (f *folder) resolve(name string) (string, error) {
	todo, done, links := strings.Split(path.Clean(name), "/"), ".", 0
	for len(todo) > 0 {
		part := todo[0]
		todo = todo[1:]
		if part == ".." && done == "." {
			return "", missing(name, errors.New("path escapes from parent"))
		}
		next := path.Join(done, part)
		target, err := f.root.Readlink(next)
		if part == ".." || err != nil {
			done = next
			continue
		}
		if links++; path.IsAbs(target) || links > mostLinks {
			return "", missing(name, errors.New("path escapes from parent"))
		}
		todo = append(strings.Split(path.Clean(target), "/"), todo...)
	}
	_, err := f.root.Stat(done)
	return done, err
}
