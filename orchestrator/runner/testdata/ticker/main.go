// Command ticker is a task in a container: it counts its starts, writes a growing number every 20 ms, and ends with exit
// code 7 when it is told to.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

func main() {
	data := filepath.Join(os.Getenv("NOMAD_ALLOC_DIR"), "data")
	starts, err := os.OpenFile(filepath.Join(data, "starts"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(starts, "start")
	if word, err := os.ReadFile(filepath.Join(os.Getenv("NOMAD_SECRETS_DIR"), "word")); err == nil {
		fmt.Printf("%d reads %s", os.Getuid(), word)
	}
	for i := 1; ; i++ {
		fmt.Println(i)
		time.Sleep(20 * time.Millisecond)
		if _, err := os.Stat(filepath.Join(data, "go")); err == nil {
			os.Exit(7)
		}
	}
}
