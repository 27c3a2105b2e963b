package webui_test

import (
	"os"
	"testing"

	"ostro/orchestrator/orchestratortest"
)

func TestMain(m *testing.M) { os.Exit(orchestratortest.Main(m)) }
