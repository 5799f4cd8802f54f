#include "client/in_flight_limit.hpp"

namespace holdfast::client {

bool in_flight_limit::try_take(std::size_t bytes) {
    if (closed_.load())
        return false;
    const std::size_t messages = messages_.fetch_add(1);
    const std::size_t before = bytes_.fetch_add(bytes);
    if (messages == 0 || (messages < most_messages_ && before + bytes <= most_bytes_))
        return true;
    give_back(bytes);
    return false;
}

bool in_flight_limit::take(std::size_t bytes, std::chrono::steady_clock::time_point deadline) {
    while (!try_take(bytes)) {
        std::unique_lock lock{mutex_};
        ++waiters_;
        const bool room = changed_.wait_until(lock, deadline, [&] { return fits(bytes) || closed_.load(); });
        --waiters_;
        if (!room || closed_.load())
            return false;
    }
    return true;
}

void in_flight_limit::give_back(std::size_t bytes) {
    bytes_.fetch_sub(bytes);
    const std::size_t left = messages_.fetch_sub(1) - 1;
    if (waiters_.load() == 0 || !(left == 0 || roomy()))
        return;
    const std::lock_guard lock{mutex_};
    changed_.notify_all();
}

bool in_flight_limit::fits(std::size_t bytes) const {
    const std::size_t messages = messages_.load();
    return messages == 0 || (messages < most_messages_ && bytes_.load() + bytes <= most_bytes_);
}

// Whether waking the waiters is worth it.
bool in_flight_limit::roomy() const {
    const std::size_t messages = messages_.load();
    return messages == 0 || (messages <= most_messages_ - most_messages_ / 4 - (most_messages_ < 4 ? 1 : 0) &&
                             bytes_.load() <= most_bytes_ - most_bytes_ / 4);
}

void in_flight_limit::close() {
    const std::lock_guard lock{mutex_};
    closed_ = true;
    changed_.notify_all();
}

void in_flight_limit::wait_until_empty() {
    std::unique_lock lock{mutex_};
    ++waiters_;
    changed_.wait(lock, [this] { return messages_.load() == 0; });
    --waiters_;
}

} // namespace holdfast::client
