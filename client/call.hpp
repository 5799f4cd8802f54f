// Typed questions over a connection: write the header, get the answer or the reason why there is none.
#pragma once

#include "client/connection.hpp"
#include "client/retry_policy.hpp"

#include "base/result.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

namespace holdfast::client {

// What became of a question: `reply` or `failure`, the other one is null. Valid during the call.
struct call_outcome {
    const answer* reply = nullptr;
    const call_failure* failure = nullptr;

    // The broker's code; -1 when there was no answer.
    [[nodiscard]] int code() const { return reply != nullptr ? reply->code() : -1; }
    [[nodiscard]] bool ok() const { return code() == 0; }
    [[nodiscard]] std::string remark() const {
        return reply != nullptr ? std::string{reply->command().remark()} : std::string{};
    }
};

// The broker is gone, or leads no more, and another one may answer in a moment: no connection, a broken one,
// no answer in time, or code 14.
[[nodiscard]] bool is_fail_over(const call_outcome& outcome);
// After a fail-over: the broker may have done all the same what it was asked to do.
[[nodiscard]] bool may_be_done(const call_outcome& outcome);

using call_handler = std::function<void(const call_outcome&)>;

// The failure in the house's words: for an outcome that is not ok().
[[nodiscard]] error to_error(const call_outcome& outcome);

class handled_call : public pending_call {
  public:
    explicit handled_call(call_handler handler) : handler_(std::move(handler)) {}
    void answered(const answer& reply) override { handler_({.reply = &reply}); }
    void failed(const call_failure& why) override { handler_({.failure = &why}); }

  private:
    call_handler handler_;
};

// `handler` is called once, on the io thread (on this one when the client is closed or full).
template <class Request>
void ask(connection& whom, const Request& request, byte_view body, std::chrono::milliseconds timeout,
         call_handler handler) {
    whom.start(std::make_shared<handled_call>(std::move(handler)), in_flight::clock::now() + timeout,
               [&](byte_buffer& out, const protocol::call& how) {
                   protocol::append_request(out, how, request, body);
               });
}

// The typed header of an answer with code 0.
template <class Header>
[[nodiscard]] result<Header> header_of(const call_outcome& outcome) {
    if (!outcome.ok())
        return to_error(outcome);
    return protocol::decode_header<Header>(outcome.reply->command());
}

} // namespace holdfast::client
