#include "broker/half_walk.hpp"

#include "broker/check_schedule.hpp"

namespace holdfast::broker {

bool half_walk::is_hasty(const half_message& half) const {
    return first_check_age(half, timeout_) < timeout_;
}

void half_walk::start(const transaction_table& table) {
    table.walk(log_position{0}, [&](const half_message& half) {
        if (is_hasty(half))
            hasty_.push_back(half.position);
        return true;
    });
}

void half_walk::note(const std::vector<half_message>& changed) {
    for (const auto& half : changed)
        if (is_hasty(half) && half.checks == 0)
            hasty_.push_back(half.position);
}

std::vector<half_message> half_walk::next(const transaction_table& table, timestamp_ms now,
                                          std::size_t most) {
    std::vector<half_message> found;
    for (; !hasty_.empty() && found.size() < most; hasty_.pop_front())
        if (const auto* const half = table.find(hasty_.front()))
            found.push_back(*half);
    if (found.size() >= most)
        return found;
    table.walk(next_, [&](const half_message& half) {
        if (half.stored + timeout_.count() > now)
            return false;
        next_ = half.position + 1U;
        if (!is_hasty(half))
            found.push_back(half);
        return found.size() < most;
    });
    return found;
}

} // namespace holdfast::broker
