package lm

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"

	"mergesearch"
)

// apiError is an answer that is no success, in OpenAI's shape.
type apiError struct {
	Status  int    `json:"-"`
	Message string `json:"message"`
	Type    string `json:"type"`
	Param   string `json:"param,omitempty"`
	Code    string `json:"code,omitempty"`
}

func (e *apiError) Error() string { return e.Message }

func badRequest(param, message string) *apiError {
	return &apiError{Status: http.StatusBadRequest, Message: message, Type: "invalid_request_error", Param: param}
}

// asAPIError says what an error of the engine, or of reading a body, is to a client.
func asAPIError(err error) *apiError {
	var (
		api     *apiError
		request *RequestError
		numeric *NumericError
		input   *mergesearch.InputError
		large   *http.MaxBytesError
		wrong   *json.UnmarshalTypeError
	)
	switch {
	case errors.As(err, &api):
		return api
	case errors.As(err, &request):
		return badRequest(request.Param, request.Error())
	case errors.As(err, &numeric):
		return &apiError{Status: http.StatusUnprocessableEntity, Message: numeric.Error(), Type: "model_error", Code: "not_a_number"}
	case errors.As(err, &input):
		return badRequest(input.Field, input.Error())
	case errors.As(err, &large):
		return &apiError{Status: http.StatusRequestEntityTooLarge, Message: err.Error(), Type: "invalid_request_error"}
	case errors.As(err, &wrong):
		return badRequest(wrong.Field, wrong.Field+": must not be a JSON "+wrong.Value)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &apiError{Status: http.StatusRequestTimeout, Message: "the request did not arrive in time", Type: "invalid_request_error"}
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return &apiError{Status: http.StatusServiceUnavailable, Message: "the request was cancelled", Type: "cancelled"}
	}
	return badRequest("", strings.TrimPrefix(err.Error(), "json: "))
}

func writeError(w http.ResponseWriter, e *apiError) {
	writeJSON(w, e.Status, map[string]*apiError{"error": e})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // only strings, numbers and structs of ours get here
		panic("lm: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that went away is nobody's trouble
}
