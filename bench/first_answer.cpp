#include "bench/first_answer.hpp"

#include "bench/raw_socket.hpp"
#include "bench/send_frames.hpp"
#include "protocol/remoting_command.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>

#include <cstring>

namespace holdfast::bench {
namespace {

pid_t start(const std::vector<std::string>& command) {
    std::vector<char*> words;
    for (const auto& word : command)
        words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    // Its ready line is nobody's here, and a pipe that it holds would never end.
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    pid_t started = 0;
    const auto failure = ::posix_spawnp(&started, words.front(), &files, nullptr, words.data(), environ);
    ::posix_spawn_file_actions_destroy(&files);
    if (failure != 0)
        give_up(command.front() + ": " + std::strerror(failure));
    return started;
}

raw_socket connect_when_served(const load_options& options, pid_t broker) {
    for (;;) {
        if (auto socket = raw_socket::try_connect(options.host, options.broker_port))
            return *std::move(socket);
        if (::waitpid(broker, nullptr, WNOHANG) == broker)
            give_up("the broker ended before it served");
        const timespec pause{0, 200'000};
        ::nanosleep(&pause, nullptr);
    }
}

} // namespace

double milliseconds_to_first_answer(const load_options& options, const std::vector<std::string>& command) {
    if (command.empty())
        give_up("--mode first needs the command that starts the broker, behind --");
    send_frames frames{options};
    const auto begun = now_ns();
    const auto broker = start(command);
    fmt::print(stderr, "{}\n", broker);
    auto socket = connect_when_served(options, broker);
    const auto one = frames.next(1, send_frames::smallest_opaque, 0);
    socket.write_all(std::as_bytes(one.bytes));
    protocol::remoting_command answer;
    const auto decoded = answer.decode(socket.read_frame());
    const auto took = static_cast<double>(now_ns() - begun) / 1e6;
    if (!decoded || answer.response() != protocol::response_code::success)
        give_up("the first send was refused: " + std::string{answer.remark()});
    return took;
}

} // namespace holdfast::bench
