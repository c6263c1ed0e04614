package main

import (
	"strings"

	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
)

// Statuses of https://docs.cohere.com/reference/errors and of the OpenAPI
// document that HTTP gives no meaning to.
const (
	statusBilling   = 402 // the account has reached its limit
	statusBlocked   = 498 // a deny-listed token in the request or the answer
	statusCancelled = 499 // "request cancelled", "streaming error"
)

// classify says more than HTTP does. Cohere's errors are a message and an id,
// without a code.
func classify(status int, r jsonhttp.Report) fault.Class {
	switch status {
	case statusBilling:
		return fault.Permission
	case statusBlocked:
		return fault.ContentFilter
	case statusCancelled:
		return fault.Server // this client did not cancel it
	}
	return fault.Unspecified
}

// explain says what a user can do about a failure.
func explain(failure *fault.Error) {
	if failure.HTTPStatus == statusCancelled {
		failure.Retryable = true
	}
	if failure.Hint != "" {
		return
	}
	message := strings.ToLower(failure.Message)
	switch {
	case failure.Class == fault.Auth:
		failure.Hint = "check the key: " + keyHint
	case failure.HTTPStatus == statusBilling:
		failure.Hint = "see https://dashboard.cohere.com/billing"
	case failure.Class == fault.NotFound:
		failure.Hint = "check --api-model-name, and --api-base"
	case failure.Class == fault.RateLimited && strings.Contains(message, "trial"):
		failure.Hint = "a production key (https://dashboard.cohere.com/api-keys) has higher limits; or lower the load"
	case failure.Class == fault.InvalidRequest && strings.Contains(message, "at most 96"):
		failure.Hint = "give --batch-size at most 96"
	}
}
