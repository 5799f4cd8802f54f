#include "network/runner_state.hpp"

#include <fmt/format.h>

namespace holdfast::network {

std::optional<std::string> admission::admit(const std::string& address) {
    const std::lock_guard guard{mutex_};
    if (count_ >= most_)
        return fmt::format("all {} connections are taken (maxConnections)", most_);
    auto& from_address = by_address_[address];
    if (most_per_address_ != 0 && from_address >= most_per_address_)
        return fmt::format("this address already has {} connections (maxConnectionsPerAddress)",
                           from_address);
    ++from_address;
    ++count_;
    return std::nullopt;
}

void admission::leave(const std::string& address) {
    const std::lock_guard guard{mutex_};
    const auto from_address = by_address_.find(address);
    HOLDFAST_CHECK(from_address != by_address_.end() && count_ != 0);
    if (--from_address->second == 0)
        by_address_.erase(from_address);
    --count_;
    changed_.notify_all();
}

std::size_t admission::count() const {
    const std::lock_guard guard{mutex_};
    return count_;
}

bool admission::wait_until_none(std::chrono::steady_clock::time_point deadline) {
    std::unique_lock lock{mutex_};
    return changed_.wait_until(lock, deadline, [&] { return count_ == 0; });
}

} // namespace holdfast::network
