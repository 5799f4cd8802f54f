// Messages as frames of a link that keeps order (actors/peer_frame.hpp).
//
// A frame that takes long to cross holds up the sign of life behind it, and its receiver would elect another
// leader. So what is large goes in slices, and each of them is a heartbeat too: the head of the same
// append_request without entries. The last one has the head of the whole request.
//
// Head of a slice, little-endian: kind u8 (130, the last one 131), offset u64 of its bytes among all, total
// u64, then a message's head.
#pragma once

#include "consensus/message.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace holdfast::consensus {

inline constexpr std::size_t slice_bytes = std::size_t{1} << 20U;
// More than an entry may have; what is believed when it comes in, before anything is allocated.
inline constexpr std::size_t most_sliced_bytes = std::size_t{80} << 20U;

struct message_frame {
    std::string head;
    std::vector<shared_bytes> body;
};

// To be sent one behind the other; the bytes are shared with the message's entries.
[[nodiscard]] std::vector<message_frame> to_frames(message what);

// What comes from one other node. Frames may be missing; then what they were part of is dropped.
class frame_reader {
  public:
    // The message, or the heartbeat in a slice. errc::malformed when it is none.
    result<message> receive(std::string_view head, const shared_bytes& body);

  private:
    result<message> receive_slice(std::string_view head, const shared_bytes& body);

    std::shared_ptr<std::byte[]> gathered_;
    std::size_t total_ = 0;
    std::size_t received_ = 0;
};

} // namespace holdfast::consensus
