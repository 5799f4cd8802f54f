#include "client/allocation.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace holdfast::client {

std::vector<message_queue> allocate_averagely(std::vector<message_queue> queues,
                                              std::vector<std::string> members, std::string_view self) {
    std::sort(queues.begin(), queues.end());
    std::sort(members.begin(), members.end());
    members.erase(std::unique(members.begin(), members.end()), members.end());
    const auto found = std::find(members.begin(), members.end(), self);
    if (found == members.end())
        return {};
    const auto place = static_cast<std::size_t>(found - members.begin());
    const std::size_t share = queues.size() / members.size();
    const std::size_t longer = queues.size() % members.size();
    const std::size_t first = place * share + std::min(place, longer);
    const std::size_t count = share + (place < longer ? 1 : 0);
    const auto begin = queues.begin() + static_cast<std::ptrdiff_t>(first);
    return {std::make_move_iterator(begin),
            std::make_move_iterator(begin + static_cast<std::ptrdiff_t>(count))};
}

} // namespace holdfast::client
