// In which order the members of a group were given the messages of each queue.
#pragma once

#include "tests/crash/consumer_process.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace holdfast::crash {

class delivery_order {
  public:
    void note(std::uint64_t member, const told_delivery& one) {
        queues_[one.from].push_back({one.began_ns, one.ended_ns, member, one.offset});
    }

    // No message came before the one in front of it had come, whoever got that; with `one_at_a_time`, no
    // member was given one while another one was at work on the same queue. What is wrong; empty = nothing.
    [[nodiscard]] std::string problem(bool one_at_a_time) const;

  private:
    struct step {
        std::int64_t began_ns = 0;
        std::int64_t ended_ns = 0;
        std::uint64_t member = 0;
        std::int64_t offset = -1;
    };
    std::map<queue_place, std::vector<step>> queues_; // as they were heard of, which is later
};

} // namespace holdfast::crash
