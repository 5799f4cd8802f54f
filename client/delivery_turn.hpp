// Whose turn it is in a queue that is consumed in order: nobody's, that of a message which waits for a
// listener's thread, or that of the one whose handle is out. So one message of a queue is in work at a time.
//
// A turn that waits has a ticket, so that one which was withdrawn meanwhile is not taken for a newer one.
// Thread-safe.
#pragma once

#include <cstdint>
#include <mutex>

namespace holdfast::client {

class delivery_turn {
  public:
    using ticket = std::uint64_t; // 0 = none

    // Free to waiting; none when it is not free.
    ticket take() {
        const std::lock_guard lock{mutex_};
        if (now_ != state::free)
            return 0;
        now_ = state::waiting;
        return ++ticket_;
    }
    // Waiting to out; false when it was withdrawn.
    bool hand_out(ticket which) {
        const std::lock_guard lock{mutex_};
        if (now_ != state::waiting || which != ticket_)
            return false;
        now_ = state::out;
        return true;
    }
    // Out to waiting: the same message once more.
    ticket again() {
        const std::lock_guard lock{mutex_};
        now_ = state::waiting;
        ++retries_;
        return ++ticket_;
    }
    // Waiting to free; one that is out stays out.
    void withdraw() {
        const std::lock_guard lock{mutex_};
        if (now_ == state::waiting)
            now_ = state::free;
    }
    void withdraw(ticket which) {
        const std::lock_guard lock{mutex_};
        if (now_ == state::waiting && which == ticket_)
            now_ = state::free;
    }
    // The message is dealt with: out to free.
    void end() {
        const std::lock_guard lock{mutex_};
        now_ = state::free;
        retries_ = 0;
    }
    [[nodiscard]] bool is_out() const {
        const std::lock_guard lock{mutex_};
        return now_ == state::out;
    }
    // How often the message was retried here.
    [[nodiscard]] std::uint32_t retries() const {
        const std::lock_guard lock{mutex_};
        return retries_;
    }

  private:
    enum class state : std::uint8_t { free, waiting, out };
    mutable std::mutex mutex_;
    state now_ = state::free;
    ticket ticket_ = 0;
    std::uint32_t retries_ = 0;
};

} // namespace holdfast::client
