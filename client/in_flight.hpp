// The requests of one connection that wait for their answer, found by opaque (protocol reference 1).
//
// A ring of slots: the opaque chooses the slot, so adding and taking are a few instructions; a slot that is
// held for long (a pull that waits for messages) is skipped over. Not thread-safe: the connection's lock
// guards it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace holdfast::client {

class answer;

enum class call_failure_kind : std::uint8_t {
    unreachable,     // no connection came about: nothing was sent
    connection_lost, // it broke with the request on its way
    timed_out,
    full,   // a bound of client_options was reached: nothing was sent
    closed, // the client shuts down
};

struct call_failure {
    call_failure_kind kind = call_failure_kind::closed;
    std::string text; // for people, with the address
};

// Exactly one of the two is called, once, on the io thread, or on the caller's thread for `full` and
// `closed`.
class pending_call {
  public:
    virtual ~pending_call() = default;
    virtual void answered(const answer& reply) = 0;
    virtual void failed(const call_failure& why) = 0;
};

class in_flight {
  public:
    using clock = std::chrono::steady_clock;

    explicit in_flight(std::size_t most);

    // The opaque, 1 .. 2^31-1; 0 when the table is full.
    std::int32_t add(std::shared_ptr<pending_call> call, clock::time_point deadline);
    // Null when nobody waits for it (any more).
    std::shared_ptr<pending_call> take(std::int32_t opaque);
    // Moves the calls whose deadline is not after `now` to `out`, in the order in which they were added.
    void expire(clock::time_point now, std::vector<std::shared_ptr<pending_call>>& out);
    void take_all(std::vector<std::shared_ptr<pending_call>>& out);

    [[nodiscard]] std::size_t size() const { return size_; }
    // Since when there has always been one, while there is one.
    [[nodiscard]] clock::time_point busy_since() const { return busy_since_; }
    // No call expires before it; max() when there is none.
    [[nodiscard]] clock::time_point next_deadline() const { return next_deadline_; }

  private:
    struct slot {
        std::int32_t opaque = 0; // 0 = free
        clock::time_point deadline;
        std::shared_ptr<pending_call> call;
    };
    [[nodiscard]] slot& slot_of(std::int32_t opaque) {
        return slots_[static_cast<std::size_t>(opaque) & (slots_.size() - 1)];
    }
    void grow();

    const std::size_t most_;
    std::vector<slot> slots_;
    std::size_t size_ = 0;
    std::int32_t next_ = 1;
    clock::time_point next_deadline_ = clock::time_point::max();
    clock::time_point busy_since_{};
};

} // namespace holdfast::client
