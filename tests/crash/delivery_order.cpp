#include "tests/crash/delivery_order.hpp"

#include <algorithm>

namespace holdfast::crash {

std::string delivery_order::problem(bool one_at_a_time) const {
    for (const auto& [queue, heard] : queues_) {
        auto steps = heard;
        std::stable_sort(steps.begin(), steps.end(),
                         [](const step& one, const step& other) { return one.began_ns < other.began_ns; });
        std::int64_t last = -1;
        const step* before = nullptr;
        for (const auto& each : steps) {
            const auto what = queue.topic + ":" + std::to_string(queue.queue) + " offset " +
                              std::to_string(each.offset) + " came to member " + std::to_string(each.member);
            if (each.offset > last + 1)
                return what + " and offset " + std::to_string(last + 1) + " had never come";
            if (one_at_a_time && before != nullptr && before->member != each.member &&
                each.began_ns < before->ended_ns)
                return what + " while member " + std::to_string(before->member) + " was at work on offset " +
                       std::to_string(before->offset);
            last = std::max(last, each.offset);
            before = &each;
        }
    }
    return {};
}

} // namespace holdfast::crash
