#include "client/in_flight_limit.hpp"

#include <algorithm>

namespace holdfast::client {

bool in_flight_limit::try_take(std::size_t bytes) {
    if (closed_.load())
        return false;
    if (fits(taken_.fetch_add(one_message + bytes), bytes))
        return true;
    give_back(bytes);
    return false;
}

bool in_flight_limit::take(std::size_t bytes, std::chrono::steady_clock::time_point deadline) {
    while (!try_take(bytes)) {
        std::unique_lock lock{mutex_};
        ++waiters_;
        const bool room =
            changed_.wait_until(lock, deadline, [&] { return fits(taken_.load(), bytes) || closed_.load(); });
        --waiters_;
        if (!room || closed_.load())
            return false;
    }
    return true;
}

void in_flight_limit::give_back(std::size_t bytes) {
    const std::uint64_t left = taken_.fetch_sub(one_message + bytes) - (one_message + bytes);
    if (waiters_.load() == 0 || !roomy(left))
        return;
    const std::lock_guard lock{mutex_};
    changed_.notify_all();
}

bool in_flight_limit::fits(std::uint64_t taken, std::size_t bytes) const {
    return taken == 0 || (messages_in(taken) < most_messages_ && bytes_in(taken) + bytes <= most_bytes_);
}

bool in_flight_limit::roomy(std::uint64_t taken) const {
    const std::size_t most_messages = most_messages_ - std::max<std::size_t>(most_messages_ / 4, 1);
    return taken == 0 ||
           (messages_in(taken) <= most_messages && bytes_in(taken) <= most_bytes_ - most_bytes_ / 4);
}

void in_flight_limit::close() {
    const std::lock_guard lock{mutex_};
    closed_ = true;
    changed_.notify_all();
}

void in_flight_limit::wait_until_empty() {
    std::unique_lock lock{mutex_};
    ++waiters_;
    changed_.wait(lock, [this] { return taken_.load() == 0; });
    --waiters_;
}

} // namespace holdfast::client
