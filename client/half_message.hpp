// The handle to one half message: stored by the broker, seen by no consumer, waiting for a decision.
//
// Owns the duty to decide: commit() makes the message visible, rollback() makes it never have been. Destroyed
// without either, the transaction stays open, and the broker asks the producer's checker about it later: a
// forgotten handle, or a process that dies with it, loses nothing. Move-only; may be moved to any thread and
// may outlive its producer (its word then has no effect, and the broker asks).
//
// The broker answers a decision, and ok means: it is durable. Should the broker's leader be gone, the next
// one is told, for as long as a send may take (send_timeout); whether a callback waits for it or not. What
// nobody has answered by then a check settles. A broker keeps the first decision it gets for ever; a later
// one changes nothing.
#pragma once

#include "base/result.hpp"
#include "client/send_result.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>

namespace holdfast::client {

enum class transaction_decision : std::uint8_t {
    unknown, // not decided (yet): the broker asks again later
    commit,
    rollback,
};

// Called once, on the producer's io thread (or at once, when nothing can be sent): it must not block.
using decision_callback = std::function<void(const result<void>&)>;

// A half message as its broker knows it: what a decision repeats (protocol reference 3.2, 37).
struct half_place {
    std::string topic;
    send_receipt receipt;  // of the half message; its queue offset is the broker's number for the transaction
    log_position position; // taken out of the broker's message id
};

// Where handles report to.
class decision_sink {
  public:
    virtual ~decision_sink() = default;
    virtual void decide(const half_place& half, transaction_decision decision, decision_callback done) = 0;
};

class half_message {
  public:
    // For the producer.
    half_message(half_place place, std::weak_ptr<decision_sink> sink)
        : place_(std::move(place)), sink_(std::move(sink)) {}
    ~half_message() { decide(transaction_decision::unknown); }
    half_message(half_message&& other) noexcept
        : place_(std::move(other.place_)),
          sink_(std::move(other.sink_)),
          decided_(std::exchange(other.decided_, true)) {}
    half_message& operator=(half_message&& other) noexcept {
        if (this != &other) {
            decide(transaction_decision::unknown);
            place_ = std::move(other.place_);
            sink_ = std::move(other.sink_);
            decided_ = std::exchange(other.decided_, true);
        }
        return *this;
    }
    half_message(const half_message&) = delete;
    half_message& operator=(const half_message&) = delete;

    void commit(decision_callback done = {}) { decide(transaction_decision::commit, std::move(done)); }
    void rollback(decision_callback done = {}) { decide(transaction_decision::rollback, std::move(done)); }
    // Only the first word counts; a later one calls `done` with an error.
    void decide(transaction_decision decision, decision_callback done = {});
    [[nodiscard]] bool decided() const { return decided_; }

    [[nodiscard]] const send_receipt& receipt() const { return place_.receipt; }
    // The message id (UNIQ_KEY): the checker sees the same one in message_view::message_id().
    [[nodiscard]] const std::string& transaction_id() const { return place_.receipt.message_id; }

  private:
    half_place place_;
    std::weak_ptr<decision_sink> sink_;
    bool decided_ = false;
};

// A handle to decide with, or why there is none. An error with may_be_stored() can leave a half message at
// the broker that nobody holds a handle to; the checker is asked about it.
class [[nodiscard]] half_result {
  public:
    // NOLINTNEXTLINE(google-explicit-constructor): as result<T>
    half_result(half_message half) : state_(std::in_place_index<0>, std::move(half)) {}
    // NOLINTNEXTLINE(google-explicit-constructor)
    half_result(send_error failure) : state_(std::in_place_index<1>, std::move(failure)) {}

    [[nodiscard]] bool ok() const { return state_.index() == 0; }
    explicit operator bool() const { return ok(); }
    [[nodiscard]] half_message& half() {
        HOLDFAST_CHECK(ok());
        return std::get<0>(state_);
    }
    [[nodiscard]] const send_error& failure() const {
        HOLDFAST_CHECK(!ok());
        return std::get<1>(state_);
    }

  private:
    std::variant<half_message, send_error> state_;
};

using half_callback = std::function<void(half_result)>;

} // namespace holdfast::client
