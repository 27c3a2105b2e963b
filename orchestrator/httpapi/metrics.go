package httpapi

import "net/http"

// metrics tells what is measured, as JSON or, with ?format=prometheus, as text.
func (s *server) metrics(r *request) (any, error) {
	gauges := s.Gauges(r.Context())
	if r.query.Get("format") == "prometheus" {
		return stream(func(w http.ResponseWriter) error {
			s.Telemetry.ServePrometheus(w, r.Request, gauges)
			return nil
		}), nil
	}
	summary, err := s.Telemetry.Summary(gauges)
	if err != nil {
		return nil, err
	}
	return summary, nil
}
