#include "tests/support/own_namespaces.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

namespace holdfast::testing {
namespace {

// One's own user is root inside.
bool become_root_inside(uid_t user, gid_t group) {
    std::ofstream{"/proc/self/setgroups"} << "deny";
    std::ofstream users{"/proc/self/uid_map"};
    users << "0 " << user << " 1" << std::flush;
    std::ofstream groups{"/proc/self/gid_map"};
    groups << "0 " << group << " 1" << std::flush;
    return users.good() && groups.good();
}

} // namespace

std::string enter_own_namespaces(int kinds) {
    if (::unshare(kinds) == 0)
        return {};
    const auto user = ::getuid();
    const auto group = ::getgid();
    if (errno != EPERM || ::unshare(kinds | CLONE_NEWUSER) != 0)
        return std::string{"the kernel allows no new namespaces: "} + std::strerror(errno);
    return become_root_inside(user, group) ? std::string{} : "a user namespace takes no user";
}

std::string run_script(const std::string& script, int network) {
    const auto pid = ::fork();
    if (pid == 0) {
        // Only calls that are safe between fork and exec in a process with threads.
        if (network < 0 || ::setns(network, CLONE_NEWNET) == 0)
            ::execl("/bin/sh", "sh", "-ec", script.c_str(), nullptr);
        ::_exit(127);
    }
    int status = -1;
    const bool done =
        pid > 0 && ::waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    return done ? std::string{} : "this failed: " + script;
}

} // namespace holdfast::testing
