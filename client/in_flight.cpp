#include "client/in_flight.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace holdfast::client {

in_flight::in_flight(std::size_t most) : most_(most), slots_(64) {}

std::int32_t in_flight::add(std::shared_ptr<pending_call> call, clock::time_point deadline) {
    if (size_ >= most_)
        return 0;
    if (size_ * 2 >= slots_.size())
        grow();
    while (true) {
        const std::int32_t opaque = next_;
        next_ = opaque == std::numeric_limits<std::int32_t>::max() ? 1 : opaque + 1;
        slot& at = slot_of(opaque);
        if (at.opaque != 0)
            continue;
        at = {opaque, deadline, std::move(call)};
        if (size_++ == 0)
            busy_since_ = clock::now();
        next_deadline_ = std::min(next_deadline_, deadline);
        return opaque;
    }
}

std::shared_ptr<pending_call> in_flight::take(std::int32_t opaque) {
    slot& at = slot_of(opaque);
    if (opaque == 0 || at.opaque != opaque)
        return nullptr;
    at.opaque = 0;
    --size_;
    return std::exchange(at.call, nullptr);
}

void in_flight::expire(clock::time_point now, std::vector<std::shared_ptr<pending_call>>& out) {
    if (now < next_deadline_)
        return;
    next_deadline_ = clock::time_point::max();
    std::vector<std::int32_t> late;
    for (const slot& each : slots_) {
        if (each.opaque == 0)
            continue;
        if (each.deadline <= now)
            late.push_back(each.opaque);
        else
            next_deadline_ = std::min(next_deadline_, each.deadline);
    }
    // Numbers go round: those from next_ on are of the round before.
    std::sort(late.begin(), late.end(), [this](std::int32_t left, std::int32_t right) {
        return std::pair{left < next_, left} < std::pair{right < next_, right};
    });
    for (const std::int32_t opaque : late)
        out.push_back(take(opaque));
}

void in_flight::take_all(std::vector<std::shared_ptr<pending_call>>& out) {
    expire(clock::time_point::max(), out);
}

void in_flight::grow() {
    // Two opaques in different slots stay in different slots when the ring doubles.
    std::vector<slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (slot& each : old)
        if (each.opaque != 0)
            slot_of(each.opaque) = std::move(each);
}

} // namespace holdfast::client
